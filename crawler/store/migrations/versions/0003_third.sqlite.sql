
CREATE TABLE yields (
    source_id INTEGER NOT NULL,
    settings VARCHAR(32) NOT NULL,
    state TEXT NOT NULL,
    odd TEXT,
    document_id INTEGER,
    at BIGINT NOT NULL,
    CONSTRAINT pk_yields PRIMARY KEY (source_id),
    CONSTRAINT fk_yields_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)

CREATE TABLE corrections (
    id INTEGER NOT NULL,
    mention_id INTEGER NOT NULL,
    post_version INTEGER NOT NULL,
    brand TEXT NOT NULL,
    digest VARCHAR(64) NOT NULL,
    text TEXT NOT NULL,
    language TEXT NOT NULL,
    target TEXT,
    said TEXT NOT NULL,
    tone VARCHAR(16),
    intent VARCHAR(16),
    relevant BOOLEAN,
    before_id INTEGER,
    analysis_id INTEGER,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    undone_at BIGINT,
    undone_by TEXT,
    CONSTRAINT pk_corrections PRIMARY KEY (id)
)

CREATE INDEX ix_corrections_mention_id ON corrections (mention_id)

CREATE TABLE lessons (
    id INTEGER NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    model TEXT NOT NULL,
    in_force BOOLEAN DEFAULT false NOT NULL,
    figures TEXT NOT NULL,
    delta BLOB NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_lessons PRIMARY KEY (id),
    CONSTRAINT uq_lessons_key UNIQUE ("key")
)

CREATE TABLE stream_states (
    source_id INTEGER NOT NULL,
    state VARCHAR(16) NOT NULL,
    since BIGINT NOT NULL,
    beat_at BIGINT NOT NULL,
    heard_at BIGINT,
    event_at BIGINT,
    lag_seconds FLOAT,
    usual_gap_seconds FLOAT,
    frames INTEGER DEFAULT 0 NOT NULL,
    connections INTEGER DEFAULT 0 NOT NULL,
    error TEXT,
    CONSTRAINT pk_stream_states PRIMARY KEY (source_id),
    CONSTRAINT fk_stream_states_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)

ALTER TABLE deliveries ADD COLUMN looks INTEGER DEFAULT 0 NOT NULL

ALTER TABLE deliveries ADD COLUMN twice_at BIGINT

ALTER TABLE deliveries ADD COLUMN place VARCHAR(16)

CREATE INDEX ix_deliveries_twice ON deliveries (sink) WHERE twice

ALTER TABLE desk_tickets ADD COLUMN due_at BIGINT

ALTER TABLE sources ADD COLUMN pace TEXT
