#!/usr/bin/env bash
# Installs the Debian packages of the peers that the e2e tests start themselves, each on
# ports and folders of its own. Skips what is installed; leaves no service running.
# The newer Prosody and ejabberd come into a Debian 13 of their own. It and Converse.js come into a folder that all clones share.
set -euo pipefail

peers=/var/cache/prosody-filer-tests
trixie=$peers/trixie
converse=$peers/converse.js-14.0.0
packages=(busybox prosody prosody-modules ejabberd nginx-light caddy apache2 haproxy openssl faketime strace btrfs-progs e2fsprogs xfsprogs exfat-fuse exfatprogs curl prometheus chromium php-cli python3-yaml systemd ceph-mon ceph-osd radosgw ceph-common swift-proxy swift-account swift-container swift-object debootstrap profanity tmux python3-slixmpp python3-aiohttp)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 && -d $trixie && -d $converse ]]; then
  echo "installed already: ${packages[*]}, $trixie, $converse"
  exit 0
fi

as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends)

# The packages' scripts ask this program whether they may start their service: 101 means no.
forbid_services() {
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$1" >/dev/null
  "${as_root[@]}" chmod 755 "$1"
}

# The packages themselves come later, while debootstrap works.
prepare_here() {
  local policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
    forbid_services "$policy"
  fi
  "${as_root[@]}" apt-get update
  "${as_root[@]}" "${install[@]}" debootstrap
}

# A folder gets its name when it is complete: one that broke off is made anew.
install_trixie() {
  local new=$trixie.new
  "${as_root[@]}" rm -rf "$new"
  "${as_root[@]}" debootstrap --variant=minbase trixie "$new"
  forbid_services "$new/usr/sbin/policy-rc.d"
  # ejabberdctl looks for the node at this name.
  echo 127.0.0.1 localhost | "${as_root[@]}" tee "$new/etc/hosts"
  sed 's/ trixie / trixie-backports /' "$new/etc/apt/sources.list" |
    "${as_root[@]}" tee "$new/etc/apt/sources.list.d/backports.list"
  "${as_root[@]}" chroot "$new" apt-get update
  "${as_root[@]}" chroot "$new" "${install[@]}" --target-release trixie-backports prosody prosody-modules ejabberd curl
  "${as_root[@]}" rm -rf "$new/var/cache/apt" "$new/var/lib/apt/lists"
  "${as_root[@]}" mv "$new" "$trixie"
}

install_converse() {
  local new=$converse.new download
  download=$(mktemp -d)
  npm pack --pack-destination "$download" "$(basename "$converse" | tr - @)"
  "${as_root[@]}" rm -rf "$new"
  "${as_root[@]}" mkdir "$new"
  "${as_root[@]}" tar --extract --file "$download"/*.tgz --directory "$new" --strip-components=2 --no-same-owner package/dist
  "${as_root[@]}" mv "$new" "$converse"
  rm -r "$download"
}

"${as_root[@]}" mkdir -p "$peers"
exec {lock}<"$peers"
flock "$lock"
[[ ${#missing[@]} -eq 0 ]] || prepare_here
# dpkg uses one core, so both Debians get their packages at the same time.
[[ -d $trixie ]] || install_trixie &
[[ ${#missing[@]} -eq 0 ]] || "${as_root[@]}" "${install[@]}" "${missing[@]}"
wait $!
[[ -d $converse ]] || install_converse
