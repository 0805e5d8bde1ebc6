"""What ./bench/run is made of: subjects, the runs of them, and reports. What ./bench/guard and
./bench/profile count with."""
