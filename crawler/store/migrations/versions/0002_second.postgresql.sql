CREATE TABLE expired (
    id BIGSERIAL NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    posts INTEGER DEFAULT 0 NOT NULL,
    edits INTEGER DEFAULT 0 NOT NULL,
    versions INTEGER DEFAULT 0 NOT NULL,
    mentions INTEGER DEFAULT 0 NOT NULL,
    analyses INTEGER DEFAULT 0 NOT NULL,
    documents INTEGER DEFAULT 0 NOT NULL,
    document_times INTEGER DEFAULT 0 NOT NULL,
    document_posts INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_expired PRIMARY KEY (id)
)

ALTER TABLE gone_posts ADD COLUMN expired BOOLEAN DEFAULT false NOT NULL

ALTER TABLE tickets ADD COLUMN due_at TIMESTAMP WITH TIME ZONE

CREATE TABLE digests (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_digests PRIMARY KEY (id),
    CONSTRAINT uq_digests_key UNIQUE (key)
)

ALTER TABLE tickets ADD COLUMN solved_at TIMESTAMP WITH TIME ZONE

ALTER TABLE tickets ADD COLUMN assignee TEXT

ALTER TABLE tickets ADD COLUMN first_reply_at TIMESTAMP WITH TIME ZONE

ALTER TABLE ticket_mentions ADD COLUMN noted_version INTEGER DEFAULT 0 NOT NULL

UPDATE ticket_mentions SET noted_version = coalesce((SELECT version FROM posts WHERE posts.id = ticket_mentions.post_id), 1)

ALTER TABLE ticket_mentions ADD COLUMN platform_id TEXT

ALTER TABLE ticket_mentions ADD COLUMN author_id TEXT

CREATE INDEX ix_ticket_mentions_platform_id ON ticket_mentions (brand_id, platform_id)

CREATE INDEX ix_ticket_mentions_author_id ON ticket_mentions (brand_id, author_id)

CREATE TABLE kin_bands (
    brand_id BIGINT NOT NULL,
    band BIGINT NOT NULL,
    mention_id BIGINT NOT NULL,
    CONSTRAINT pk_kin_bands PRIMARY KEY (brand_id, band, mention_id),
    CONSTRAINT fk_kin_bands_brand_id FOREIGN KEY(brand_id) REFERENCES brands (id)
)

ALTER TABLE deliveries ADD COLUMN doubted_at TIMESTAMP WITH TIME ZONE

ALTER TABLE deliveries ADD COLUMN recheck_at TIMESTAMP WITH TIME ZONE

ALTER TABLE deliveries ADD COLUMN twice BOOLEAN DEFAULT false NOT NULL

CREATE INDEX ix_deliveries_due ON deliveries (sink, status, not_before)

CREATE INDEX ix_deliveries_remote_id ON deliveries (sink, remote_id)

CREATE INDEX ix_deliveries_recheck_at ON deliveries (sink, recheck_at)

CREATE TABLE sink_states (
    sink TEXT NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    shut_until TIMESTAMP WITH TIME ZONE,
    why TEXT,
    cursor TIMESTAMP WITH TIME ZONE,
    polled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_sink_states PRIMARY KEY (sink)
)

CREATE TABLE replies (
    id BIGSERIAL NOT NULL,
    ticket_id BIGINT NOT NULL,
    sink TEXT NOT NULL,
    key TEXT NOT NULL,
    author TEXT,
    text TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_replies PRIMARY KEY (id),
    CONSTRAINT fk_replies_ticket_id FOREIGN KEY(ticket_id) REFERENCES tickets (id),
    CONSTRAINT uq_replies_sink_key UNIQUE (sink, key)
)

CREATE INDEX ix_replies_ticket_id ON replies (ticket_id)

CREATE TABLE hook_calls (
    id BIGSERIAL NOT NULL,
    key TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_hook_calls PRIMARY KEY (id),
    CONSTRAINT uq_hook_calls_key UNIQUE (key)
)

CREATE INDEX ix_hook_calls_at ON hook_calls (at)

ALTER TABLE desk_comments ADD COLUMN author TEXT

CREATE INDEX ix_desk_tickets_changed_at ON desk_tickets (changed_at)
