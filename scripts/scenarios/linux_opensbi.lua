-- Debian boots through a real OpenSBI in M-mode, and its own check script finds what it should.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
if not p.bios then isomer.skip("no OpenSBI: --set bios=FILE") end
local m = isomer.machine {
  bios = p.bios, kernel = p.kernel, initrd = p.initrd, ram = "512M", append = "console=ttyS0 isomer.script=check",
}
m.console:expect("OpenSBI v%d", { within = "5s" })
m.console:expect("CHECK%-DONE", { within = "120s" })
isomer.check(m:run("20s") == "end" and m.ended == "poweroff" and m.code == 0, m.ended)
local text = m.console.text:gsub("\r", "")
isomer.check(text:find("\nLinux %S+ 6%.%d+%S*%-riscv64 [^\n]* riscv64 GNU/Linux\n"), "uname")
isomer.check(text:find("\nisa%s*: rv64imafdc"), "the instruction set")
local mmu = text:match("\nmmu%s*: (%w+)\n")
isomer.check(mmu == "sv39" or mmu == "sv48", "the mode of paging")
-- of 8 MiB of zeros
isomer.check(text:find("sha256: 2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74", 1, true), "a hash")
local noise, different, n = assert(text:match("\nhwrng:([ %x]+)\n")), {}, 0
for byte in noise:gmatch("%x%x") do different[byte], n = true, n + 1 end
local values = 0
for _ in pairs(different) do values = values + 1 end
isomer.check(n == 16 and values > 4, "16 bytes of /dev/hwrng")
isomer.check(not text:find("Kernel panic", 1, true) and not text:find("Oops", 1, true))
