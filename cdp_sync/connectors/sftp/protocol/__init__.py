"""SFTP version 3: a border. It imports nothing of this project but itself, and no paramiko.

`packets` is bytes as values and back, without I/O. `wire` sends requests and hands out replies on a channel, an object
with `sendall` and `recv`, and says how slow a server may be; `transfer` moves a file over it.
"""
