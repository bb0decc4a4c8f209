-- A bare program of four instructions writes to the serial port.
local m = isomer.machine {
  isa = "riscv64", ram = "16M", code = [[
    lui t0, 0x10000        # the UART
    li a0, 72
    sb a0, 0(t0)
    li a0, 105
    sb a0, 0(t0)
    li a0, 10
    sb a0, 0(t0)
  stop:
    jal zero, @stop
  ]],
}
isomer.check(m.console:expect("Hi\n", { within = "1ms" }) == "Hi\n")
isomer.check(m:where(m.cpu[1].pc):find("stop"), "the program is in its last loop")
