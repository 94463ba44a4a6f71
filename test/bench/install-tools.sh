#!/usr/bin/env bash
# Installs what `npm run bench` needs beside the built program: its peers and the load generator wrk (Debian).
set -euo pipefail
cd "$(dirname "$0")"

../e2e/install-peers.sh
if ! command -v wrk >/dev/null; then
  as_root=()
  [[ $(id -u) -eq 0 ]] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends wrk
fi
