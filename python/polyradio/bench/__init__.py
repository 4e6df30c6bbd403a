"""Benchmarks: how fast the real path is, measured, never assumed.

- `suites`: what is measured; `measure`: contestants in turn; `peers`: other implementations; `machine`: where.
- `report`: the file of a run; `table`: the same for people.
- `statistics`, `compare`, `formats`, `instructions`: whether a run became slower than another.
- `whole_path`, `tap_path`: two paths with a command of their own.
"""
