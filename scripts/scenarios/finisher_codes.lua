-- The test finisher ends the machine with the code that a program writes.
for code = 0, 3 do
  local m = isomer.machine {
    isa = "riscv64", ram = "16M", code = ([[
      lui t0, 0x100
      lui t1, %d
      lui t2, 3
      addi t2, t2, 0x333
      or t1, t1, t2
      sw t1, 0(t0)
    stop:
      jal zero, @stop
    ]]):format(code << 4),
  }
  isomer.check(m:run("1ms") == "end")
  isomer.check(m.ended == (code == 0 and "poweroff" or "code") or m.ended == "failure", m.ended)
  if code > 0 then isomer.check(m.code == code, "code " .. tostring(m.code)) end
end
