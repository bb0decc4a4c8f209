-- More bytes than the serial port's FIFO holds, typed at once: the guest takes them as it can, and nothing is lost or changed.
local m = isomer.machine {
  isa = "riscv64", ram = "16M",
  code = [[
    lui s0, 0x10000
    li t2, 10
  again:
    lbu t0, 5(s0)
    andi t0, t0, 1
    beqz t0, @again
    lbu t1, 0(s0)
    sb t1, 0(s0)
    bne t1, t2, @again
  done:
    jal zero, @done
  ]],
}
local bytes = {}
for b = 0, 255 do if b ~= 10 then bytes[#bytes + 1] = string.char(b) end end
local data = table.concat(bytes):rep(20) .. "\n"
m.console:send(data:sub(1, 100))
m:run("10us")
m.console:send(data:sub(101))
m:run_until("done", { within = "1s" })
isomer.check(m.console.text == data, "what came back differs")
