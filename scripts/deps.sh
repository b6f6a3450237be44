#!/bin/sh
# Installs what opsctl's demo and tests need and the machine lacks: PostgreSQL's
# server and client programs, and a Redis server. Says nothing when all is there.
set -eu

have() { command -v "$1" >/dev/null 2>&1; }

# Debian keeps the server programs off PATH.
have_postgres() {
	for dir in ${OPSCTL_PG_BINDIR:-} /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin; do
		[ -x "$dir/initdb" ] && [ -x "$dir/pg_dump" ] && return 0
	done
	have initdb && have pg_dump
}

missing=
have_postgres && have psql || missing="postgresql"
have redis-server || missing="$missing redis"
[ -n "$missing" ] || exit 0

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"
	elif have sudo; then sudo "$@"
	else echo "installing$missing needs root: run as root, or install sudo" >&2; exit 1
	fi
}

echo "installing: $missing" >&2
if have apt-get; then
	packages=
	case $missing in *postgresql*) packages="postgresql postgresql-client";; esac
	case $missing in *redis*) packages="$packages redis-server";; esac
	# The packages must not start servers of their own: opsctl starts what it needs, and stops it.
	policy=/usr/sbin/policy-rc.d
	if ! [ -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod +x "$policy"
		trap 'as_root rm -f "$policy"' EXIT
	fi
	as_root apt-get update -qq >&2
	# shellcheck disable=SC2086 # a list of packages
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >&2
elif have brew; then
	case $missing in *postgresql*) brew install postgresql@16 >&2;; esac
	case $missing in *redis*) brew install redis >&2;; esac
else
	cat >&2 <<-TEXT
		This machine has neither apt-get nor brew. Install by hand:
		  PostgreSQL 15 or later, server and client programs (initdb, postgres, pg_dump, psql)
		  Redis 7 (redis-server)
		and, where PostgreSQL's programs are not on PATH, set OPSCTL_PG_BINDIR to their directory.
	TEXT
	exit 1
fi
