# bench/heap/workloads/perl.pl: hashes of lists, strings that grow, sorting
use strict;
my %list;
push @{$list{$_ % 5003}}, "item $_" x ($_ % 5 + 1) for 1 .. 300000;
my $total = 0;
$total += length join ',', sort @{$list{$_}} for sort { $a <=> $b } keys %list;
print "$total\n";
my %word;
my $text = join ' ', map { 'w' . $_ * 7919 % 10007 } 1 .. 150000;
$word{$_}++ for split / /, $text;
print scalar(keys %word), "\n";
$text =~ s/w(\d)/$1w/g;
print length $text, "\n";
for my $turn (1 .. 5) {
    my @tree = map { { key => $_, text => "text $_", list => [1 .. 5] } } 1 .. 20000;
    print scalar(grep { $_->{key} % 2 } @tree), "\n";
}
