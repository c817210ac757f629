#!/usr/bin/env bash
# Makes sure that the tests of storage have what PyPI does not give: Debian's PostgreSQL, of which they start their own.
# As root it installs it; else it says in one line what to install, and those tests are skipped.
set -euo pipefail

compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null && exit 0
command -v initdb >/dev/null && exit 0
wanted="PostgreSQL is not here, so storage on it is not tested; install with: sudo apt-get install --no-install-recommends postgresql"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; } >&2 || echo "$wanted" >&2
else
  echo "$wanted" >&2
fi
