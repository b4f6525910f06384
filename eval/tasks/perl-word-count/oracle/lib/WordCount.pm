package WordCount;

use strict;
use warnings;
use utf8;
use Exporter 'import';

our @EXPORT_OK = qw(count);

# A text to a hash: word, in lower case => how often.
sub count {
    my ($text) = @_;
    my %times;
    $times{ lc $_ }++ for $text =~ /(\p{L}+(?:['’]\p{L}+)*)/g;
    return \%times;
}

1;
