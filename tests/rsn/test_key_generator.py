"""Octets from a seed."""

from polyradio.rsn.key_generator import KeyGenerator


def test_same_seed_and_purpose_give_the_same_octets():
    first, second = KeyGenerator(7, b"x"), KeyGenerator(7, b"x")
    assert [first.randbytes(n) for n in (16, 32, 40)] == [second.randbytes(n) for n in (16, 32, 40)]


def test_nothing_repeats():
    generators = [KeyGenerator(seed, purpose) for seed in (-1, 0, 1, 1 << 300) for purpose in (b"", b"a", b"b")]
    drawn = [generator.randbytes(16) for generator in generators for _ in range(50)]
    assert len(set(drawn)) == len(drawn)
    assert {len(octets) for octets in drawn} == {16}


def test_generator_does_not_show_its_key():
    generator = KeyGenerator(7, b"x")
    assert generator._key.hex() not in repr(generator)
