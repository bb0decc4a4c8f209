-- The clock jumps ahead by ten minutes under a running Linux: its clocks follow, and a sleeper wakes at once.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local m = isomer.machine { kernel = p.kernel, initrd = p.initrd, ram = "256M", append = "console=" .. (p.tty or "ttyS0") }
m.console:expect("ISOMER%-READY", { within = "60s" })
m.console:expect("~ # ", { within = "20s" })
local function uptime()
  m.console:sendline("cut -d. -f1 /proc/uptime")
  local s = tonumber(m.console:expect("\n(%d+)\r"))
  m.console:expect("~ # ")
  return s
end
m.console:sendline("date +%Y")
m.console:expect("\n2024\r")
m.console:expect("~ # ")
local before = uptime()
m.console:sendline("sleep 500; echo awake")
m:run("100ms")
local t = m.now
m:advance("10m")
m.console:expect("\nawake", { within = "5s" })
isomer.check(m.now - t < 606 * 1000000000)
m.console:expect("~ # ")
isomer.check(uptime() - before >= 600)
