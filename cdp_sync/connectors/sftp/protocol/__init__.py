"""SFTP version 3: a border. It imports nothing of this project but itself, and no paramiko.

`packets` and `names` are bytes as values and back, without I/O. `window` and `pace` say how much may be under way and
how slow a server may be. `wire` sends requests and hands out replies on a channel, an object with `sendall` and `recv`;
`reader` and `writer` move a file over it.
"""
