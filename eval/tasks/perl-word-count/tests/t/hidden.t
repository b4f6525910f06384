use strict;
use warnings;
use utf8;

use WordCount qw(count);

sub same {
    my ($text, %wanted) = @_;
    my $got = count($text);
    my $show = sub { my ($h) = @_; join ", ", map { "$_=$h->{$_}" } sort keys %$h };
    my ($is, $should) = ($show->($got), $show->(\%wanted));
    die "not: $should" unless $is eq $should;
}

same("Don't, DON'T!", "don't" => 2);
same("'quoted' words' end", quoted => 1, words => 1, end => 1);
same("Äpfel und äpfel", "äpfel" => 2, und => 1);
same("a1b", a => 1, b => 1);
same("");
print "ok\n";
