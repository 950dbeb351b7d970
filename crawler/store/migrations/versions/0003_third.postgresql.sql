
CREATE TABLE yields (
    source_id BIGINT NOT NULL,
    settings VARCHAR(32) NOT NULL,
    state TEXT NOT NULL,
    odd TEXT,
    document_id BIGINT,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_yields PRIMARY KEY (source_id),
    CONSTRAINT fk_yields_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)

CREATE TABLE corrections (
    id BIGSERIAL NOT NULL,
    mention_id BIGINT NOT NULL,
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
    before_id BIGINT,
    analysis_id BIGINT,
    actor TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    undone_by TEXT,
    CONSTRAINT pk_corrections PRIMARY KEY (id)
)

CREATE INDEX ix_corrections_mention_id ON corrections (mention_id)

CREATE TABLE lessons (
    id BIGSERIAL NOT NULL,
    "key" VARCHAR(64) NOT NULL,
    model TEXT NOT NULL,
    in_force BOOLEAN DEFAULT false NOT NULL,
    figures TEXT NOT NULL,
    delta BYTEA NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lessons PRIMARY KEY (id),
    CONSTRAINT uq_lessons_key UNIQUE ("key")
)

CREATE TABLE stream_states (
    source_id BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    beat_at TIMESTAMP WITH TIME ZONE NOT NULL,
    heard_at TIMESTAMP WITH TIME ZONE,
    event_at TIMESTAMP WITH TIME ZONE,
    lag_seconds FLOAT,
    usual_gap_seconds FLOAT,
    frames BIGINT DEFAULT 0 NOT NULL,
    connections INTEGER DEFAULT 0 NOT NULL,
    error TEXT,
    CONSTRAINT pk_stream_states PRIMARY KEY (source_id),
    CONSTRAINT fk_stream_states_source_id FOREIGN KEY(source_id) REFERENCES sources (id)
)

ALTER TABLE deliveries ADD COLUMN looks INTEGER DEFAULT 0 NOT NULL

ALTER TABLE deliveries ADD COLUMN twice_at TIMESTAMP WITH TIME ZONE

ALTER TABLE deliveries ADD COLUMN place VARCHAR(16)

CREATE INDEX ix_deliveries_twice ON deliveries (sink) WHERE twice

ALTER TABLE desk_tickets ADD COLUMN due_at TIMESTAMP WITH TIME ZONE

ALTER TABLE sources ADD COLUMN pace TEXT
