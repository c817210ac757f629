#!/usr/bin/env bash
# Makes sure that the browser tests have what PyPI does not give: Debian's chromium, and axe-core by npm.
# Prints the path of axe.min.js. As root it installs what is missing; else it says in one line what to install.
set -euo pipefail

axe_version=4.11.4
# As the registry states it: nothing else is ever run in a page.
axe_integrity=sha512-KunSNx+TVpkAw/6ULfhnx+HWRecjqZGTOyquAoWHYLRSdK1tB5Ihce1ZW+UY3fj33bYAFWPu7W/GRSmmrCGuxA==
cache="${XDG_CACHE_HOME:-$HOME/.cache}/headwater/axe-core-$axe_version"

missing=()
[ -x /usr/bin/chromium ] || missing+=(chromium)
[ -f "$cache/axe.min.js" ] || command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } >&2
  else
    echo "error: the browser tests need ${missing[*]}; install with: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

if [ ! -f "$cache/axe.min.js" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent "axe-core@$axe_version" >/dev/null) || { echo "error: npm could not fetch axe-core $axe_version; check the network" >&2; exit 1; }
  found="sha512-$(python3 -c 'import base64, hashlib, sys; print(base64.b64encode(hashlib.sha512(open(sys.argv[1], "rb").read()).digest()).decode())' "$work/axe-core-$axe_version.tgz")"
  [ "$found" = "$axe_integrity" ] || { echo "error: axe-core $axe_version has another digest than expected; it is not used" >&2; exit 1; }
  tar -xzf "$work/axe-core-$axe_version.tgz" -C "$work" package/axe.min.js
  mv "$work/package/axe.min.js" "$cache/axe.min.js"
fi
echo "$cache/axe.min.js"
