import numpy as np
from birdornot.novelty import _widest; from birdornot.head import *
E=np.load('/tmp/c1/data/emb.npz')
db,df,dt,pb,pn=E['drawn1_bird'],E['drawn1_forest'],E['drawn1_thing'],E['photo_bird'],E['photo_not_bird']
def fit(x,rank,floor):
    scale=x.std(0); scale=scale+scale.mean()+1e-6; m=x.mean(0)
    u=lambda t:(lambda z:z/np.linalg.norm(z,axis=1,keepdims=True))((t-m)/scale)
    z=u(x); c=z.mean(0); off=z-c; width=floor*(off*off).sum()/off.size
    s,ax=_widest(off,min(rank,len(x)-1)); less=1/width-1/(width+s*s/len(x))
    f=lambda t:(lambda o:(o*o).sum(1)/width-(o@ax)**2@less)(u(t)-c)
    return f
for name,a,b,f in (('drawn',db,df,dt),('mix',np.r_[db,pb],df,pn),('real',pb,df[:40],pn),('photo',pb,pn,dt)):
    x=np.r_[a,b]; y=np.r_[np.zeros(len(a),int),np.ones(len(b),int)]
    for ntr in (40,64,120,200):
        if ntr>len(x)*.8: continue
        for rank,floor in ((64,10),(64,30),(32,10),(32,30),(16,10)):
            R=[]
            for s in range(8):
                r=np.random.default_rng(s).permutation(len(x)); tr,te=r[:ntr],r[ntr:]
                nv=fit(x[tr],rank,floor); ht=nv(x[te]); fv=nv(f); aa=nv(x[tr]); n=ntr
                def cv(k):
                    fo=stratified_folds(y[tr],np.arange(ntr),k,s); o=np.empty(ntr)
                    for j in range(fo.max()+1): o[fo==j]=fit(x[tr][fo!=j],rank,floor)(x[tr][fo==j])
                    return o
                thr={'5fold':cv(5),'10fold':cv(10),'loo':aa/(1-np.minimum(aa/n,.95))*(n/(n-1))**2,'held':ht}
                thr={k:np.quantile(v,.95) for k,v in thr.items()}
                R.append([(ht<=t).mean() for t in thr.values()]+[(fv>t).mean() for t in thr.values()])
            m=np.mean(R,0).round(3).tolist(); print(name,ntr,rank,floor,'coverage',dict(zip(thr,m[:4])),'foreign',dict(zip(thr,m[4:])))
