"""crawler/engine"""
