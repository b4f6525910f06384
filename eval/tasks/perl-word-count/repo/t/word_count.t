use strict;
use warnings;

use WordCount qw(count);

my $times = count("one two two");
die "one" unless $times->{one} == 1;
die "two" unless $times->{two} == 2;
print "ok\n";
