-- SPDX-License-Identifier: GPL-3.0-or-later
CREATE TABLE transactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key text NOT NULL UNIQUE,
    reference text NOT NULL,
    amount numeric(18, 2) NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE job_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
