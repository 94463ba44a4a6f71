#!/usr/bin/env bash
# Installs the Debian packages of the peers that the e2e tests start themselves, each on
# ports and folders of its own. Skips what is installed; leaves no service running.
set -euo pipefail

packages=(busybox prosody prosody-modules ejabberd nginx-light caddy apache2 haproxy openssl faketime strace btrfs-progs exfat-fuse exfatprogs curl prometheus chromium php-cli python3-yaml systemd ceph-mon ceph-osd radosgw ceph-common swift-proxy swift-account swift-container swift-object)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "installed already: ${packages[*]}"
  exit 0
fi

as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)

# The packages' scripts ask this program whether they may start their service: 101 means no.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

"${as_root[@]}" apt-get update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install --yes --no-install-recommends "${missing[@]}"
