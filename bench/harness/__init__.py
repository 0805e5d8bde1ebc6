"""What ./bench/run is made of: subjects, the runs of them, and reports."""
