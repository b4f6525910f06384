package WordCount;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(count);

# A text to a hash: word => how often.
sub count {
    my ($text) = @_;
    my %times;
    $times{$_}++ for $text =~ /([A-Za-z]+)/g;
    return \%times;
}

1;
