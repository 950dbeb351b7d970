CREATE TABLE alerts (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    cause TEXT NOT NULL,
    source TEXT,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    resolved_at BIGINT,
    sent_at BIGINT,
    end_sent_at BIGINT,
    CONSTRAINT pk_alerts PRIMARY KEY (id)
)

CREATE TABLE bodies (
    digest VARCHAR(64) NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL,
    CONSTRAINT pk_bodies PRIMARY KEY (digest)
)

CREATE TABLE brands (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    entities TEXT NOT NULL,
    about TEXT NOT NULL,
    not_about TEXT NOT NULL,
    own TEXT NOT NULL,
    "query" TEXT,
    labels TEXT NOT NULL,
    version TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    CONSTRAINT pk_brands PRIMARY KEY (id),
    CONSTRAINT uq_brands_name UNIQUE (name)
)

CREATE TABLE config_versions (
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_config_versions PRIMARY KEY (number)
)

CREATE TABLE desk_tickets (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    priority VARCHAR(16) NOT NULL,
    brand TEXT NOT NULL,
    tags TEXT NOT NULL,
    url TEXT,
    author TEXT,
    reason TEXT NOT NULL,
    language TEXT,
    status VARCHAR(16) NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    comment_count INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_desk_tickets PRIMARY KEY (id),
    CONSTRAINT uq_desk_tickets_key UNIQUE ("key")
)

CREATE TABLE events (
    id INTEGER NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    "row" VARCHAR(16) NOT NULL,
    row_id INTEGER NOT NULL,
    what VARCHAR(32) NOT NULL,
    "before" TEXT,
    "after" TEXT,
    note TEXT,
    config_version INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id)
)

CREATE TABLE gone_mentions (
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    brand_id INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT NOT NULL,
    ticket_id INTEGER,
    config_version INTEGER NOT NULL,
    found_at BIGINT NOT NULL,
    CONSTRAINT pk_gone_mentions PRIMARY KEY (id),
    CONSTRAINT uq_gone_mentions_post_id_brand_id UNIQUE (post_id, brand_id)
)

CREATE TABLE gone_posts (
    id INTEGER NOT NULL,
    site TEXT NOT NULL,
    "key" TEXT NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT pk_gone_posts PRIMARY KEY (id),
    CONSTRAINT uq_gone_posts_key_site UNIQUE ("key", site)
)

CREATE TABLE leases (
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    until BIGINT NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (name)
)

CREATE TABLE posts (
    id INTEGER NOT NULL,
    site TEXT NOT NULL,
    "key" TEXT NOT NULL,
    version INTEGER NOT NULL,
    mention_count INTEGER DEFAULT 0 NOT NULL,
    matched_with TEXT,
    seen_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    published_at BIGINT,
    deleted BOOLEAN DEFAULT false NOT NULL,
    rating FLOAT,
    author_followers INTEGER,
    author_name TEXT,
    author_handle TEXT,
    author_url TEXT,
    region TEXT,
    language_hint TEXT,
    engagement TEXT,
    platform_id TEXT,
    parent TEXT,
    thread TEXT,
    url TEXT,
    content_hash VARCHAR(64) NOT NULL,
    title TEXT,
    text TEXT NOT NULL,
    folded TEXT NOT NULL,
    CONSTRAINT pk_posts PRIMARY KEY (id),
    CONSTRAINT uq_posts_site_key UNIQUE (site, "key")
)

CREATE TABLE sources (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    settings TEXT NOT NULL,
    labels TEXT NOT NULL,
    schedule TEXT NOT NULL,
    domain TEXT NOT NULL,
    verify BOOLEAN DEFAULT true NOT NULL,
    cursor TEXT NOT NULL,
    next_run_at BIGINT,
    paused BOOLEAN DEFAULT false NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    epoch INTEGER DEFAULT 0 NOT NULL,
    lease_run INTEGER,
    lease_owner TEXT,
    lease_until BIGINT,
    last_run_at BIGINT,
    last_verdict TEXT,
    last_error TEXT,
    last_new_at BIGINT,
    usual_gap_seconds FLOAT,
    failures INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_sources PRIMARY KEY (id),
    CONSTRAINT uq_sources_name UNIQUE (name)
)

CREATE TABLE desk_comments (
    id INTEGER NOT NULL,
    desk_id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    text TEXT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_desk_comments PRIMARY KEY (id),
    CONSTRAINT uq_desk_comments_key UNIQUE ("key"),
    CONSTRAINT fk_desk_comments_desk_id FOREIGN KEY(desk_id) REFERENCES desk_tickets (id)
)

CREATE TABLE post_sources (
    post_id INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    digest VARCHAR(32) NOT NULL,
    seen_at BIGINT NOT NULL,
    CONSTRAINT pk_post_sources PRIMARY KEY (post_id, source_id),
    CONSTRAINT fk_post_sources_post_id FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_post_sources_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)
 WITHOUT ROWID

CREATE TABLE post_versions (
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    title TEXT,
    text TEXT NOT NULL,
    deleted BOOLEAN DEFAULT false NOT NULL,
    content_hash VARCHAR(64) NOT NULL,
    replaced_at BIGINT NOT NULL,
    replaced_by_run INTEGER NOT NULL,
    CONSTRAINT pk_post_versions PRIMARY KEY (id),
    CONSTRAINT uq_post_versions_post_id_number UNIQUE (post_id, number),
    CONSTRAINT fk_post_versions_post_id FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE
)

CREATE TABLE runs (
    id INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    slot TEXT NOT NULL,
    kind VARCHAR(8) DEFAULT 'crawl' NOT NULL,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    verdict TEXT,
    error TEXT,
    seconds FLOAT DEFAULT 0 NOT NULL,
    config_version INTEGER DEFAULT 0 NOT NULL,
    lost BOOLEAN DEFAULT false NOT NULL,
    fetched INTEGER DEFAULT 0 NOT NULL,
    unchanged INTEGER DEFAULT 0 NOT NULL,
    taken INTEGER DEFAULT 0 NOT NULL,
    documents INTEGER DEFAULT 0 NOT NULL,
    parsed INTEGER DEFAULT 0 NOT NULL,
    new INTEGER DEFAULT 0 NOT NULL,
    seen INTEGER DEFAULT 0 NOT NULL,
    edited INTEGER DEFAULT 0 NOT NULL,
    dropped INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_runs PRIMARY KEY (id),
    CONSTRAINT uq_runs_source_id_slot UNIQUE (source_id, slot),
    CONSTRAINT fk_runs_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)

CREATE TABLE source_urls (
    source_id INTEGER NOT NULL,
    url_digest VARCHAR(32) NOT NULL,
    url TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    also TEXT,
    body_digest VARCHAR(64),
    document_id INTEGER,
    seen_at BIGINT NOT NULL,
    CONSTRAINT uq_source_urls_source_id_url_digest UNIQUE (source_id, url_digest),
    CONSTRAINT fk_source_urls_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)

CREATE TABLE tickets (
    id INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    priority VARCHAR(16) NOT NULL,
    brand_id INTEGER NOT NULL,
    brand TEXT NOT NULL,
    tags TEXT NOT NULL,
    url TEXT,
    author TEXT,
    reason TEXT NOT NULL,
    rule TEXT NOT NULL,
    language TEXT,
    status VARCHAR(16) NOT NULL,
    opened_at BIGINT NOT NULL,
    config_version INTEGER DEFAULT 0 NOT NULL,
    mention_count INTEGER DEFAULT 0 NOT NULL,
    delivery_count INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_tickets PRIMARY KEY (id),
    CONSTRAINT uq_tickets_key UNIQUE ("key"),
    CONSTRAINT fk_tickets_brand_id FOREIGN KEY(brand_id) REFERENCES brands (id)
)

CREATE TABLE deliveries (
    id INTEGER NOT NULL,
    ticket_id INTEGER NOT NULL,
    sink TEXT NOT NULL,
    number INTEGER NOT NULL,
    change TEXT,
    status VARCHAR(16) NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    doubtful BOOLEAN DEFAULT false NOT NULL,
    error TEXT,
    owner TEXT,
    lease_until BIGINT,
    not_before BIGINT NOT NULL,
    attempted_at BIGINT,
    settled_at BIGINT,
    remote_id TEXT,
    remote_url TEXT,
    remote_status VARCHAR(16),
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_deliveries_ticket_id_sink_number UNIQUE (ticket_id, sink, number),
    CONSTRAINT ck_deliveries_change CHECK ((number = 0) = (change IS NULL)),
    CONSTRAINT fk_deliveries_ticket_id FOREIGN KEY(ticket_id) REFERENCES tickets (id)
)

CREATE TABLE documents (
    id INTEGER NOT NULL,
    source_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    url TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    fetched_at BIGINT NOT NULL,
    times INTEGER DEFAULT 1 NOT NULL,
    posts INTEGER DEFAULT 0 NOT NULL,
    CONSTRAINT pk_documents PRIMARY KEY (id),
    CONSTRAINT fk_documents_source_id FOREIGN KEY(source_id) REFERENCES sources (id),
    CONSTRAINT fk_documents_run_id FOREIGN KEY(run_id) REFERENCES runs (id),
    CONSTRAINT fk_documents_digest FOREIGN KEY(digest) REFERENCES bodies (digest)
)

CREATE TABLE mentions (
    id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    brand_id INTEGER NOT NULL,
    status VARCHAR(16) NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT NOT NULL,
    ticket_id INTEGER,
    post_version INTEGER NOT NULL,
    analysed_version INTEGER DEFAULT 0 NOT NULL,
    analysis_id INTEGER,
    analysis_count INTEGER DEFAULT 0 NOT NULL,
    query_version TEXT NOT NULL,
    config_version INTEGER DEFAULT 0 NOT NULL,
    hits TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    CONSTRAINT pk_mentions PRIMARY KEY (id),
    CONSTRAINT uq_mentions_post_id_brand_id UNIQUE (post_id, brand_id),
    CONSTRAINT fk_mentions_post_id FOREIGN KEY(post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT fk_mentions_brand_id FOREIGN KEY(brand_id) REFERENCES brands (id),
    CONSTRAINT fk_mentions_ticket_id FOREIGN KEY(ticket_id) REFERENCES tickets (id)
)

CREATE TABLE ticket_mentions (
    mention_id INTEGER NOT NULL,
    ticket_id INTEGER NOT NULL,
    post_id INTEGER NOT NULL,
    brand_id INTEGER NOT NULL,
    opened BOOLEAN DEFAULT false NOT NULL,
    site TEXT NOT NULL,
    thread TEXT,
    author TEXT,
    content_hash VARCHAR(64),
    at BIGINT NOT NULL,
    CONSTRAINT pk_ticket_mentions PRIMARY KEY (mention_id),
    CONSTRAINT fk_ticket_mentions_ticket_id FOREIGN KEY(ticket_id) REFERENCES tickets (id),
    CONSTRAINT fk_ticket_mentions_brand_id FOREIGN KEY(brand_id) REFERENCES brands (id)
)

CREATE TABLE analyses (
    id INTEGER NOT NULL,
    mention_id INTEGER NOT NULL,
    post_version INTEGER NOT NULL,
    model TEXT NOT NULL,
    language TEXT NOT NULL,
    tone VARCHAR(16) NOT NULL,
    tone_scores TEXT NOT NULL,
    intent VARCHAR(16) NOT NULL,
    intent_scores TEXT NOT NULL,
    intent_reason TEXT NOT NULL,
    flags TEXT NOT NULL,
    confidence FLOAT NOT NULL,
    truncated BOOLEAN NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_analyses PRIMARY KEY (id),
    CONSTRAINT uq_analyses_mention_id_post_version_model UNIQUE (mention_id, post_version, model),
    CONSTRAINT fk_analyses_mention_id FOREIGN KEY(mention_id) REFERENCES mentions (id) ON DELETE CASCADE
)

CREATE UNIQUE INDEX uq_alerts_open ON alerts ("key") WHERE resolved_at IS NULL

CREATE INDEX ix_events_at ON events (at)

CREATE INDEX ix_events_row ON events ("row", row_id, id)

CREATE INDEX ix_posts_matched_with ON posts (matched_with, id)

CREATE INDEX ix_sources_domain ON sources (domain)

CREATE INDEX ix_sources_next_run_at ON sources (next_run_at)

CREATE INDEX ix_desk_comments_desk_id ON desk_comments (desk_id)

CREATE INDEX ix_post_sources_source_id ON post_sources (source_id, post_id)

CREATE INDEX ix_runs_open ON runs (source_id) WHERE ended_at IS NULL

CREATE INDEX ix_deliveries_status ON deliveries (status, not_before)

CREATE INDEX ix_documents_digest ON documents (digest)

CREATE INDEX ix_documents_source_id ON documents (source_id, id)

CREATE INDEX ix_mentions_brand_id ON mentions (brand_id, id)

CREATE INDEX ix_mentions_status ON mentions (status, id)

CREATE INDEX ix_mentions_ticket_id ON mentions (ticket_id)

CREATE INDEX ix_mentions_unanalysed ON mentions (id) WHERE analysed_version < post_version

CREATE INDEX ix_ticket_mentions_content_hash ON ticket_mentions (brand_id, content_hash)

CREATE INDEX ix_ticket_mentions_thread ON ticket_mentions (brand_id, thread)

CREATE INDEX ix_ticket_mentions_ticket_id ON ticket_mentions (ticket_id)

CREATE TRIGGER keep_posts AFTER DELETE ON posts BEGIN INSERT INTO gone_posts (id, site, key, version) VALUES (OLD.id, OLD.site, OLD.key, OLD.version) ON CONFLICT (key, site) DO UPDATE SET version = CASE WHEN excluded.version > gone_posts.version THEN excluded.version ELSE gone_posts.version END; END

CREATE TRIGGER keep_mentions AFTER DELETE ON mentions BEGIN INSERT INTO gone_mentions (id, post_id, brand_id, status, reason, rule, ticket_id, config_version, found_at) VALUES (OLD.id, OLD.post_id, OLD.brand_id, OLD.status, OLD.reason, OLD.rule, OLD.ticket_id, OLD.config_version, OLD.found_at) ON CONFLICT (post_id, brand_id) DO UPDATE SET status = excluded.status, reason = excluded.reason, rule = excluded.rule, ticket_id = excluded.ticket_id, config_version = excluded.config_version; END
