#!/bin/sh
# First process of the test guest: prepares a console, announces itself, then does what the kernel
# command line asks for: isomer.script=NAME runs a script of this file unattended, else a shell.
export PATH=/bin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
while read -r m; do
  insmod "/modules/$m.ko" || echo "init: module $m could not be inserted"
done </modules/order
echo ISOMER-READY

script=
for word in $(cat /proc/cmdline); do
  case $word in isomer.script=*) script=${word#*=} ;; esac
done

case $script in
marker)
  ;;
check)
  uname -a
  cat /proc/cpuinfo
  echo "sha256: $(dd if=/dev/zero bs=1M count=8 2>/dev/null | sha256sum)"
  echo "hwrng: $(head -c 16 /dev/hwrng 2>&1 | od -An -tx1)"
  echo CHECK-DONE
  ;;
"")
  busybox --install -s /bin
  read -r tty </sys/class/tty/console/active
  tty=${tty##* }
  setsid -c sh -c "cd; exec sh -i" <"/dev/$tty" >"/dev/$tty" 2>&1
  ;;
*)
  echo "init: no script named '$script' (there are: check marker)"
  ;;
esac
poweroff -f
