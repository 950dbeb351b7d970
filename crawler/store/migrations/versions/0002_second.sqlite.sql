CREATE TABLE expired (
    id INTEGER NOT NULL,
    at BIGINT NOT NULL,
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

ALTER TABLE tickets ADD COLUMN due_at BIGINT

CREATE TABLE digests (
    id INTEGER NOT NULL,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    sent_at BIGINT,
    CONSTRAINT pk_digests PRIMARY KEY (id),
    CONSTRAINT uq_digests_key UNIQUE (key)
)
