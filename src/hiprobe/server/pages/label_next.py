def add(app, service):
    pass
