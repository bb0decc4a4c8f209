-- Entropy dries up: a reader of /dev/hwrng waits, and goes on when there is entropy again.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local m = isomer.machine { kernel = p.kernel, initrd = p.initrd, ram = "256M", append = "console=" .. (p.tty or "ttyS0") }
m.console:expect("ISOMER%-READY", { within = "60s" })
m.console:expect("~ # ", { within = "20s" })
m.console:sendline("head -c 16 /dev/hwrng | od -An -tx1")
m.console:expect("\n( %x%x[%x ]+)")
m.console:expect("~ # ")
m:drought(true)
m.console:sendline("head -c 4096 /dev/hwrng | wc -c")
isomer.check(not pcall(m.console.expect, m.console, "\n4096", { within = "3s" }), "there was entropy in the drought")
local stuck = m:snapshot()
isomer.check(not m.console.rest:find("\n4096"))
m:restore(stuck)
m:drought(false)
m:u32((tonumber(p.virtio) or 0x10001000) + 0x50, 0, "phys") -- what the device does when it has something again: look at its queue
m.console:expect("\n4096", { within = "20s" })
