#!/bin/sh
# in-trixie.sh USER COMMAND...: runs a command in the Debian 13 that install-peers.sh has made, as one of its users. The
# command sees this machine's temporary files, processes and devices. Needs root.
set -eu
root=/var/cache/prosody-filer-tests/trixie
# The mounts are in a namespace of their own and end with the command.
# shellcheck disable=SC2016 # the inner shell expands these
exec unshare --mount sh -euc '
  root=$1; user=$2; shift 2
  for folder in tmp proc dev; do mount --rbind "/$folder" "$root/$folder"; done
  exec chroot --userspec="$user" "$root" "$@"
' sh "$root" "$@"
