#!/usr/bin/perl
# Reads lines of words and numbers: least squares, regular expressions, sorting, packing, local time, closures.
use strict;
use warnings;
use List::Util qw(sum max reduce first);
use POSIX qw(floor fmod strftime);
use Digest::SHA qw(sha256_hex);
use Storable qw(freeze thaw);
use Math::BigInt;
my (@x, @y, %words);
open my $in, '<', $ARGV[0] or die "open: $!";
while (<$in>) {
  my ($first, $int, $real, $last) = /^(\w+) (\d+) (-?[\d.]+) (?<last>\w+)$/ or die "line $.";
  push @x, $int;
  push @y, $real;
  $words{$first}++;
  (my $turned = $+{last}) =~ s/([aeiou])(.)/uc($2) . $1/ge;
  $words{$turned} += length $turned;
}
my ($mx, $my) = (sum(@x) / @x, sum(@y) / @y);
my $slope = sum(map { ($x[$_] - $mx) * ($y[$_] - $my) } 0 .. $#x) / sum(map { ($_ - $mx)**2 } @x);
printf "%.12g %.12g %.12g %s\n", $mx, $my, $slope, fmod(-7.5, 2);
my @top = (sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words)[0 .. 9];
print join(',', map { "$_=$words{$_}" } @top), "\n";
print sha256_hex(join '', sort keys %words), ' ', unpack('H*', pack('w n N a4 d>', 300, 1, 2, 'ab', 1.5)), "\n";
print Math::BigInt->new(3)->bpow(200), ' ', strftime('%Y-%m-%d %H:%M:%S', gmtime 86400 * 365), "\n";
my $copy = thaw(freeze({ list => [1, 2, [3]], text => "\x{263a}" }));
binmode STDOUT, ':utf8';
print "$copy->{text} $copy->{list}[2][0] ", (first { $_ > 4 } 1 .. 9), ' ', (reduce { $a * $b } 1 .. 20), "\n";
local $SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; 1 while 1 };
print "caught $@";
eval { die { code => 7 } };
exit $@->{code};
