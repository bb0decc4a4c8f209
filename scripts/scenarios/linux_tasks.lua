-- At one machine at the same time: an operator at the shell who polls a sensor, somebody who breaks the sensor after its fifth
-- reading, and an observer of how the machine gets on.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local sensor = { reads = 0, broken = false }
local m = isomer.machine {
  kernel = p.kernel, initrd = p.initrd, ram = "256M", append = "console=" .. (p.tty or "ttyS0"),
  devices = {
    isomer.device {
      name = "sensor", base = 0x10100000, size = 0x1000, state = sensor,
      read = function()
        sensor.reads = sensor.reads + 1
        return sensor.broken and 0xffffffff or 20 + sensor.reads
      end,
    },
  },
}
local operator = isomer.task("operator", function()
  m.console:expect("ISOMER%-READY", { within = "60s" })
  m.console:expect("~ # ", { within = "20s" })
  m.console:sendline("while v=$(devmem 0x10100000 32); [ $v != 0xFFFFFFFF ]; do echo t=$v; sleep 0.1; done; echo lost")
  local readings = {}
  repeat
    local v = m.console:expect("\nt=0x(%x+)\r", { within = "5s" })
    readings[#readings + 1] = tonumber(v, 16)
  until sensor.broken
  m.console:expect("\nlost\r", { within = "5s" })
  return readings
end)
local saboteur = isomer.task("saboteur", function()
  repeat m:run("10ms") until sensor.reads == 5
  sensor.broken = true
  return m.now
end)
local seconds = 0
local observer = isomer.task("observer", function()
  while true do
    local insns = m.insns
    m:run("1s")
    isomer.check(m.insns > insns, "the guest stands still")
    seconds = seconds + 1
  end
end)
local readings, broken = operator:join(), saboteur:join()
observer:stop()
isomer.check(table.concat(readings, " ") == "21 22 23 24 25", table.concat(readings, " "))
isomer.check(sensor.reads == 6 and m.now > broken and seconds >= 1)
