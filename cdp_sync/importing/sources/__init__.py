"""Where rows come from: files of a server, archives, lists of a platform."""
