-- Bare programs with `tohost` end with their own verdict. Their folder is given with --set htif=DIR.
local dir = isomer.params.htif
if not dir then isomer.skip("no folder of HTIF programs: --set htif=DIR") end
for name in (isomer.params.names or "amo lrsc muldiv rvc csr irq paging39 sstc smc"):gmatch("%S+") do
  local m = isomer.machine { elf = dir .. "/" .. name .. ".elf", ram = "128M" }
  isomer.check(m:symbol("tohost") ~= 0)
  isomer.check(m:run("20s") == "end", name .. " does not end")
  isomer.check(m.ended == "poweroff", name .. " fails check " .. tostring(m.code))
end
