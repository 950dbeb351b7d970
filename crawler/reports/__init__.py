"""crawler/reports"""
