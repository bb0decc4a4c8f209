-- Linux sees a device that is written in Lua: in the device tree, through its registers, and by its interrupt input.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local lamp, reads = 0, 0
local m = isomer.machine {
  kernel = p.kernel, initrd = p.initrd, ram = "256M", append = "console=" .. (p.tty or "ttyS0"),
  devices = {
    isomer.device {
      name = "lamp", base = 0x10100000, size = 0x1000, irq = 40,
      read = function(offset)
        reads = reads + 1
        return offset == 0 and lamp or 0x1a3b5c7d
      end,
      write = function(offset, _, value) if offset == 0 then lamp = value end end,
    },
  },
}
m.console:expect("ISOMER%-READY", { within = "60s" })
m.console:expect("~ # ", { within = "20s" })
m.console:sendline("cat $(find /proc/device-tree/ -name lamp@10100000)/compatible; echo")
m.console:expect("\nisomer,lamp")
m.console:sendline("devmem 0x10100004 32")
m.console:expect("\n0x1A3B5C7D")
isomer.check(reads == 1)
m.console:sendline("devmem 0x10100000 32 77; devmem 0x10100000 32")
m.console:expect("\n0x0000004D")
isomer.check(lamp == 77)
