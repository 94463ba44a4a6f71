#!/usr/bin/env bash
# Boots systemd as PID 1 of namespaces of its own, with prosody-filer installed and no units but those in a folder. It
# finds every filesystem of the host read-only, /tmp too: what it writes is in memory. Only the network is shared.
#   unshare --mount --pid --uts --ipc --cgroup --fork --mount-proc boot-systemd.sh NODE PROJECT ETC UNITS SETUP
# NODE is the executable, PROJECT a built checkout, ETC what stands in /etc/prosody-filer, UNITS the folder of the units, and
# SETUP a shell command that runs before systemd.
set -euo pipefail
node=$1 project=$2 etc=$3 units=$4 setup=$5
here=/mnt

if [[ $$ -ne 1 ]]; then
  echo 'only in namespaces of its own: it would take the host its writable filesystems' >&2
  exit 1
fi

mount --make-rprivate /
umount --recursive --lazy /sys/fs/cgroup
# systemd cleans, sets up and writes wherever it may.
while read -r target; do
  case $target in
    /proc | /proc/* | /dev | /dev/*) ;;
    *) mount -o remount,bind,ro "$target" ;;
  esac
done < <(findmnt --raw --noheadings --output TARGET)
mount --bind -o ro /proc/sys /proc/sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup

mount -t tmpfs tmpfs "$here"
mkdir -p "$here"/{upper,work,run/units,dev} "$here"/opt/prosody-filer/{bin,dist,lib}
cp "$units"/* "$here"/run/units
release="$here"/opt/prosody-filer
cp "$project"/src/prosody-filer.sh "$release"/bin/prosody-filer
cp "$project"/package.json "$release"
touch "$release"/lib/node
mount --bind "$node" "$release"/lib/node
mount --bind "$project"/dist "$release"/dist
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$here/upper,workdir=$here/work" /etc
cp -r "$etc" /etc/prosody-filer
for device in null zero full random urandom tty; do
  touch "$here/dev/$device"
  mount --bind "/dev/$device" "$here/dev/$device"
done
ln -s pts/ptmx "$here"/dev/ptmx
mount --rbind "$here"/dev /dev
mount --rbind "$here"/opt /opt
mount --rbind "$here"/run /run
for folder in /tmp /var/tmp /var/lib /etc/systemd/system /usr/lib/systemd/system; do mount -t tmpfs tmpfs "$folder"; done

for folder in / /usr /var /sys "$project"; do
  if [[ -w $folder ]]; then
    echo "$folder would be written to" >&2
    exit 1
  fi
done
sh -c "$setup"
# Credentials reach a service by mount propagation.
mount --make-rshared /
exec env -i container=other SYSTEMD_UNIT_PATH=/run/units:/etc/systemd/system:/usr/lib/systemd/system PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=test.target --show-status=no
