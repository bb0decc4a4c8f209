-- Counts placements of queens, then exercises strings, tables, closures and errors.
local n = tonumber(arg[1])
local count, columns, up, down = 0, {}, {}, {}
local function place(row)
  if row > n then count = count + 1 return end
  for c = 1, n do
    if not (columns[c] or up[row + c] or down[row - c + n]) then
      columns[c], up[row + c], down[row - c + n] = true, true, true
      place(row + 1)
      columns[c], up[row + c], down[row - c + n] = nil, nil, nil
    end
  end
end
place(1)
print(count, math.pi, 7 // 2, -7 % 3, 1e308 * 10, 2 ^ 53 | 0, math.maxinteger + 1 == math.mininteger)
print(string.format("%q %5.3f %x %s", "a\nb\0c", 1 / 3, 255, 0x7fp-3), ("x"):rep(3, "-"), #"é", utf8.len("é"))
local words = {}
for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = w:reverse() end
table.sort(words, function(a, b) return #a == #b and a < b or #a < #b end)
print(table.concat(words, " "), select("#", table.unpack(words)), string.pack("<i4z", 77, "s"):byte(1, -1))
local co = coroutine.wrap(function(...) for i = 1, select("#", ...) do coroutine.yield((select(i, ...))) end error({ code = 5 }) end)
print(co("a", "b"), co(), pcall(co) and "" or "error", select(2, pcall(string.rep)))
collectgarbage()
os.exit(3, true)
