-- A kernel panic is noticed the moment it is printed, and the tap-like failure names it.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local m = isomer.machine { kernel = p.kernel, initrd = p.initrd, ram = "256M", append = "console=" .. (p.tty or "ttyS0") .. " panic=0" }
m.console:expect("ISOMER%-READY", { within = "60s" })
m.console:expect("~ # ", { within = "20s" })
m.console:sendline("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger")
local what = m.console:expect("Kernel panic %- not syncing: ([^\r\n]+)", { within = "20s" })
isomer.check(what:find("sysrq"), what)
isomer.check(m.ended == nil, "panic=0 leaves the machine running")
