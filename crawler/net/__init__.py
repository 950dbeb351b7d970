"""crawler/net"""
