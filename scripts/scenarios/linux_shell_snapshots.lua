-- A shell: lines typed in, answers captured, and a snapshot that starts every experiment from the same prompt.
local p = isomer.params
if not p.kernel or not p.initrd then isomer.skip("no kernel: --set kernel=FILE --set initrd=FILE") end
local m = isomer.machine { kernel = p.kernel, initrd = p.initrd, ram = "256M", append = "console=" .. (p.tty or "ttyS0") }
m.console:expect("ISOMER%-READY", { within = "60s" })
m.console:expect("~ # ", { within = "20s" })
m.console:sendline("echo $((6 * 7))-$(uname -m)")
isomer.check(m.console:expect("\n(%d+)%-" .. (p.machine or "riscv64")) == "42")
m.console:expect("~ # ")
local prompt, hash = m:snapshot(), m:hash()
local answers = {}
for i = 1, 3 do
  m:restore(prompt)
  isomer.check(m:hash() == hash, "restored")
  m.console:sendline("echo a=$$; head -c 8 /dev/urandom | od -An -tx1; echo b=" .. (i == 3 and "x" or "y"))
  answers[i] = m.console:expect("\na=%d+%s+([%x ]+)", { within = "20s" })
  m.console:expect("\nb=%a")
end
isomer.check(answers[1] == answers[2], "the same input at the same place gives the same random numbers")
for i = 1, 50 do -- random stop points: a million instructions on, back, and on again
  m:restore(prompt)
  m.console:sendline("sha256sum /proc/self/exe; dd if=/dev/zero bs=64k count=64 | md5sum")
  m:run(isomer.rand(1, 20000000))
  local here = m:snapshot()
  m:run(1000000)
  local there = m:hash()
  m:restore(here)
  m:run(1000000)
  isomer.check(m:hash() == there, "a second million leads elsewhere")
  if i % 5 == 0 then -- neither do stops on the way change anything
    m:restore(here)
    local some = isomer.rand(1, 999999)
    m:run(some)
    m:run(1000000 - some)
    isomer.check(m:hash() == there, "a million in two parts leads elsewhere")
  end
end
