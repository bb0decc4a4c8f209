-- Debian boots, its own check script passes, it powers off: twice with one seed to the same last bit, differently with another.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local function boot(seed)
  local m = isomer.machine {
    kernel = p.kernel, initrd = p.initrd, ram = "256M", seed = seed, append = "console=" .. (p.tty or "ttyS0") .. " isomer.script=check",
  }
  local version = m.console:expect("Linux version (%S+)", { within = "20s" })
  isomer.check(version:find("^6%."), version)
  m.console:expect("CHECK%-DONE", { within = "120s" })
  isomer.check(m:run("20s") == "end" and m.ended == "poweroff", m.ended)
  return m.console.text, m.insns, m:hash()
end
local text, insns, hash = boot(7)
isomer.check(text:find("hwrng: ", 1, true) and not text:find("Oops", 1, true))
local text2, insns2, hash2 = boot(7)
isomer.check(text == text2, "the consoles differ")
isomer.check(insns == insns2, insns .. " and " .. insns2 .. " instructions")
isomer.check(hash == hash2, "the states differ")
local text3, _, hash3 = boot(8)
isomer.check(hash ~= hash3 and text:match("hwrng: [^\n]+") ~= text3:match("hwrng: [^\n]+"), "another seed, another run")
