#!/bin/bash
# The Debian that tools/make-image makes: its stock kernel and initramfs boot to a login on the console; somebody logs in, has a
# network of each kind, installs a package from a mirror of ours over each, and shuts it down.
set -uo pipefail
# shellcheck source=tests/linux/lib.bash
. "$(dirname "$0")/lib.bash"
need_kernels image bookworm
[[ $(id -u) -eq 0 ]] || { skip image 'making a Debian image needs root'; finish; }
need_programs image mmdebstrap ip passt
if ! timeout 500 tools/make-image --cached -o "$scratch/image" >"$scratch/made" 2>"$scratch/err"; then
    skip image "no image: $(tail -n 1 "$scratch/err")"
    finish
fi

# A mirror with one package.
package=$scratch/package mirror=$scratch/mirror
mkdir -p "$package"/{DEBIAN,usr/bin} "$mirror"
printf 'Package: carrel-hello\nVersion: 1.0\nArchitecture: all\nMaintainer: carrel <carrel@localhost>\nDescription: says hello\n' >"$package/DEBIAN/control"
# shellcheck disable=SC2016  # for the guest
printf '#!/bin/sh\necho "hello from package $((40 + 2)) by $1"\n' >"$package/usr/bin/carrel-hello"
chmod 755 "$package/usr/bin/carrel-hello"
dpkg-deb --root-owner-group -Zgzip -b "$package" "$mirror/carrel-hello.deb" >/dev/null || exit 1
{
    cat "$package/DEBIAN/control"
    printf 'Filename: ./carrel-hello.deb\nSize: %d\nSHA256: %s\n' "$(stat -c %s "$mirror/carrel-hello.deb")" "$(sha256sum <"$mirror/carrel-hello.deb" | cut -d' ' -f1)"
} >"$mirror/Packages"

# The mirror moves into a network namespace whose only way out is the fourth interface.
SWITCH='cd /srv && for file in Packages carrel-hello.deb; do busybox wget -q http://10.0.0.1/$file; done; cd; ip netns add far; ip link set eth3 netns far; '
SWITCH+='ip addr add 10.9.0.1/24 dev eth2; ip link set eth2 up; ip -n far addr add 10.9.0.2/24 dev eth3; ip -n far link set eth3 up; '
SWITCH+='ip netns exec far busybox httpd -p 80 -h /srv'
booted() {
    # The prompt's own end is waited for: what is typed before would be lost.
    python3 -B tests/tools/converse.py 660 \
        'carrel login: ' 'root\r' 'root@carrel:~# ' \
        'echo is-$(cat /etc/debian_version)-$(uname -r)-$(findmnt -no SOURCE,FSTYPE / | tr -s " " -); ip -4 -o addr show eth0\r' 'root@carrel:~# ' \
        'get() { echo "deb [trusted=yes] http://$1 ./" >/etc/apt/sources.list; apt-get -q -y purge carrel-hello >/dev/null; apt-get clean; apt-get -q update && apt-get -q -y install carrel-hello && carrel-hello $2; }\r' 'root@carrel:~# ' \
        'get 10.0.0.1 tap\r' 'root@carrel:~# ' \
        'dhclient eth1; get 192.0.2.1 passt\r' 'root@carrel:~# ' \
        "$SWITCH\r" 'root@carrel:~# ' \
        'get 10.9.0.2 switch\r' 'root@carrel:~# ' \
        'poweroff\r' -- \
        tools/kvm-host --timeout 650 --memory 2G --module tun --with dash --with ip --with passt --with "$CARREL" --disk "$scratch/image/disk.img" --add "$mirror:/root/mirror" \
        --add "$scratch/image/vmlinuz:/root/vmlinuz" --add "$scratch/image/initrd.img:/root/initrd.img" --add tests/linux/inside/image.sh:/root/inside.sh --add tests/linux/inside/lib.sh:/root/lib.sh \
        -- sh /root/inside.sh >"$scratch/said" 2>&1
    tail -n 60 "$scratch/said"
    grep -q 'carrel ended with status 0' "$scratch/said"
}
check 'image: boots to a login, is logged in to, and shuts down' booted
said() { grep -E "$1" "$scratch/said"; }
check 'image: its own kernel, its root on ext4' said 'is-1[2-9].*-cloud-amd64-/dev/vda-ext4'
check 'image: an address by DHCP' said 'inet 10\.0\.0\.[2-9]/24'
check 'image: a package from a mirror, over a tap' said 'hello from package 42 by tap'
check 'image: over passt' said 'hello from package 42 by passt'
check 'image: over a switch' said 'hello from package 42 by switch'
check 'image: nothing is lost on the disk' env PATH="$PATH:/usr/sbin:/sbin" e2fsck -fn "$scratch/image/disk.img"
finish
