"""A realm of any size, written in bulk: what the tests of scale and a load test start from."""
