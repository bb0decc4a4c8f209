-- A read tap answers in place of memory; without it the program sees what is there.
local function run(tapped)
  local m = isomer.machine {
    isa = "riscv64", ram = "16M", code = [[
      auipc s0, 1
      ld a0, 0(s0)
      ld a1, 8(s0)
    done:
      jal zero, @done
    ]],
  }
  local data = m.cpu[1].pc + 0x1000
  m:write(data, string.pack("<I8I8", 11, 22))
  if tapped then m:tap { read = data, size = 8, call = function(a) a.value = a.value * 100 end } end
  m:run_until("done")
  return m.cpu[1].x.a0, m.cpu[1].x.a1
end
local a, b = run(false)
isomer.check(a == 11 and b == 22)
a, b = run(true)
isomer.check(a == 1100 and b == 22, "only the tapped word changes")
