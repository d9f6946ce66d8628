use strict;
use Socket;
my ($port, @to) = @ARGV;
my ($ours, $gateway) = ("192.168.127.2", "\x02\xba\x5e\x00\x00\x01");
socket(my $out, 17, 3, 0) or die "socket: $!";    # AF_PACKET, SOCK_RAW
my $index;
for my $name (split ' ', `ls /sys/class/net`) {
	next if $name eq "lo";
	open my $f, "<", "/sys/class/net/$name/ifindex" or next;
	chomp($index = <$f>);
}
my $at = pack("SnlSCCa8", 17, 0x0800, $index, 0, 0, 6, $gateway);

sub sum {
	my ($data) = @_;
	$data .= "\0" if length($data) % 2;
	my $sum = 0;
	$sum += $_ for unpack("n*", $data);
	$sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
	return ~$sum & 0xffff;
}

sub ip {
	my ($from, $to, $protocol, $id, $where, $options, $data) = @_;
	my $words = 5 + length($options) / 4;
	my @head = (0x40 | $words, 0, $words * 4 + length($data), $id, $where, 64, $protocol, 0, inet_aton($from), inet_aton($to));
	my $head = pack("CCnnnCCna4a4", @head) . $options;
	$head[7] = sum($head);
	return pack("CCnnnCCna4a4", @head) . $options . $data;
}

sub segment {
	my ($from, $to, $protocol, $data, $place) = @_;
	my $sum = sum(inet_aton($from) . inet_aton($to) . pack("CCn", 0, $protocol, length $data) . $data);
	substr($data, $place, 2) = pack("n", $sum);
	return $data;
}

sub transmit {
	my ($source, $kind, $packet) = @_;
	send($out, $gateway . $source . pack("n", $kind) . $packet, 0, $at);
}

my ($mac) = map { pack("H*", s/[:\n]//gr) } `cat /sys/class/net/e*/address`;
# The gateway has to know our address, so that it can answer.
`ping -c 1 -W 1 192.168.127.1 2>&1`;
my $id = 1;
my $client = 20000;
for my $to (@to) {
	for my $from ($ours, "192.168.127.1", "192.168.127.254", "127.0.0.1", "10.9.8.7", "0.0.0.0", "224.0.0.1", $to) {
		for my $options ("", "\x83\x07\x04" . inet_aton("127.0.0.1") . "\0") {    # loose source routing
			my $whole = "whole $from to $to";
			my $udp = segment($from, $to, 17, pack("nnnn", $client++, $port, 8 + length $whole, 0) . $whole, 6);
			transmit($mac, 0x0800, ip($from, $to, 17, $id++, 0, $options, $udp));
			# In two fragments, overlapping ones and the last one first.
			my $parts = "parts $from to $to" . "." x 40;
			$udp = segment($from, $to, 17, pack("nnnn", $client++, $port, 8 + length $parts, 0) . $parts, 6);
			transmit($mac, 0x0800, ip($from, $to, 17, $id, 0x2000, $options, substr($udp, 0, 24)));
			transmit($mac, 0x0800, ip($from, $to, 17, $id++, 3, $options, substr($udp, 24)));
			transmit($mac, 0x0800, ip($from, $to, 17, $id, 2, $options, substr($udp, 16)));
			transmit($mac, 0x0800, ip($from, $to, 17, $id++, 0x2000, $options, substr($udp, 0, 24)));
			# Segments: a connection's first, one within one that is not, its end.
			for my $flags (0x02, 0x12, 0x10, 0x04, 0x01, 0x29) {
				my $tcp = segment($from, $to, 6, pack("nnNNCCnnn", $client, $port, 1, 1, 0x50, $flags, 8192, 0, 0), 16);
				transmit($mac, 0x0800, ip($from, $to, 6, $id++, 0, $options, $tcp));
				transmit("\x02\x00\x00\x00\x00\x99", 0x0800, ip($from, $to, 6, $id++, 0, $options, $tcp));
				# In fragments of 8 bytes.
				transmit($mac, 0x0800, ip($from, $to, 6, $id, 0x2000, $options, substr($tcp, 0, 8)));
				transmit($mac, 0x0800, ip($from, $to, 6, $id, 0x2001, $options, substr($tcp, 8, 8)));
				transmit($mac, 0x0800, ip($from, $to, 6, $id++, 2, $options, substr($tcp, 16)));
				$client++;
			}
			# Echo, IP in IP, and IPv6 that holds the address.
			transmit($mac, 0x0800, ip($from, $to, 1, $id++, 0, $options, "\x08\x00" . pack("n", sum("\x08\0\0\0\0\0\0\0")) . "\0\0\0\0"));
			transmit($mac, 0x0800, ip($ours, "192.168.127.1", 4, $id++, 0, "", ip($from, $to, 17, $id, 0, "", $udp)));
			my $mapped = ("\0" x 10) . "\xff\xff";
			transmit($mac, 0x86dd, pack("NnCC", 0x60000000, length $udp, 17, 64) . $mapped . inet_aton($from) . $mapped . inet_aton($to) . $udp);
		}
	}
	select undef, undef, undef, 0.2;
}
sleep 3;
print "sent\n";
