#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the database cluster when there is none, then runs PostgreSQL as user postgres.
set -eu

fail() {
    echo "entrypoint: $1" >&2
    exit 1
}

# Prints the value of variable $1, or of the file that variable $1_FILE names, or $2.
setting() {
    eval "value=\${$1:-} file=\${${1}_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        fail "both $1 and ${1}_FILE are set: keep one"
    fi
    if [ -n "$file" ]; then
        [ -r "$file" ] || fail "cannot read '$file', which ${1}_FILE names"
        value=$(cat "$file")
    fi
    printf '%s' "${value:-$2}"
}

sql() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$user" "$@"
}

run_init_files() {
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh)
                echo "entrypoint: running $file"
                # shellcheck source=/dev/null
                if [ -x "$file" ]; then "$file"; else . "$file"; fi
                ;;
            *.sql)
                echo "entrypoint: running $file"
                sql --dbname "$database" --file "$file"
                ;;
            *.sql.gz)
                echo "entrypoint: running $file"
                gunzip --stdout "$file" | sql --dbname "$database"
                ;;
            */\*) ;;
            *) echo "entrypoint: ignoring $file" ;;
        esac
    done
}

create_cluster() {
    user=$(setting POSTGRES_USER postgres)
    password=$(setting POSTGRES_PASSWORD '')
    database=$(setting POSTGRES_DB "$user")
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        fail "the database has no password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
    fi

    umask 077
    secret=$(mktemp)
    trap 'rm -f "$secret"' EXIT
    printf '%s\n' "$password" > "$secret"
    # Word splitting is what POSTGRES_INITDB_ARGS is for.
    # shellcheck disable=SC2086
    if [ -n "$password" ]; then
        initdb --username "$user" --pwfile "$secret" --auth-local trust --auth-host trust ${POSTGRES_INITDB_ARGS:-}
    else
        initdb --username "$user" --auth-local trust --auth-host trust ${POSTGRES_INITDB_ARGS:-}
    fi
    rm -f "$secret"
    trap - EXIT
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

    # The first server is reachable on the socket only: nobody meets a database that is half made.
    pg_ctl --wait --options "-c listen_addresses=''" start
    if ! sql --dbname postgres --tuples-only --no-align --set name="$database" <<'SQL' | grep -q 1; then
SELECT 1 FROM pg_database WHERE datname = :'name';
SQL
        sql --dbname postgres --set name="$database" <<'SQL'
CREATE DATABASE :"name";
SQL
    fi
    export POSTGRES_USER="$user" POSTGRES_DB="$database" PGUSER="$user" PGDATABASE="$database"
    run_init_files
    unset PGUSER PGDATABASE
    pg_ctl --wait --mode fast stop
    echo "entrypoint: the database cluster is ready"
}

case ${1:-} in
    -*) set -- postgres "$@" ;;
esac
if [ "${1:-}" != postgres ]; then
    exec "$@"
fi

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid postgres --regid postgres --init-groups -- "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    create_cluster
fi
exec "$@"
