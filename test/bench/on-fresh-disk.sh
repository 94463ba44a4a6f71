#!/usr/bin/env bash
# Runs the bench on an ext4 of its own in a file, as root: ext4 spends half of its time on avoiding the inodes that an
# earlier run's cleaning up has freed. The arguments are those of `npm run bench`.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(mktemp -d)
trap 'umount "$folder/mount" 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir "$folder/mount"
truncate --size=16G "$folder/disk"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$folder/disk"
mount -o loop "$folder/disk" "$folder/mount"
npm run bench -- --folder "$folder/mount" "$@"
