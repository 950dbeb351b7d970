#!/bin/sh
# Real servers for the tests, by apt when we are root and they are missing: PostgreSQL's binaries for the store, Request
# Tracker 5 for its preset, WordPress and MariaDB for theirs (with `servers.sh all`, or in CI). Never fails the caller.
have_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
add() {
    have_apt || return 1
    echo "installing $1 by apt-get ..." >&2
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "$@" >/dev/null 2>&1
}
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || add postgresql ||
    echo "no PostgreSQL binaries: its tests are skipped" >&2
if [ "$1" = all ] || [ -n "$CI" ]; then
    if [ ! -f /usr/share/request-tracker5/libexec/rt-server ]; then
        have_apt && echo "request-tracker5 request-tracker5/install-cronjobs boolean false" | debconf-set-selections
        add request-tracker5 rt5-db-sqlite rt5-standalone || echo "no Request Tracker: its tests are skipped" >&2
    fi
    if [ ! -f /usr/share/wordpress/wp-load.php ] || ! command -v mariadbd >/dev/null || ! command -v php >/dev/null; then
        # RUNLEVEL: nothing of the system's own is started.
        RUNLEVEL=1 add wordpress wordpress-theme-twentytwentythree mariadb-server php-cli php-mysql php-xml php-mbstring ||
            echo "no WordPress with MariaDB: its tests are skipped" >&2
    fi
fi
exit 0
