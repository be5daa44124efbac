"""The same work on our loop and on its peers, measured in turns; see README.md.

`work` and `catalogue` say what is measured, `hosts` on what; `child` runs it
in a process for each host, `rounds` has them take turns, `report` tells.
"""
